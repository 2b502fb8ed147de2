/** Lambda's API as `@aws-sdk/client-lambda` calls it. What is not here is refused by name. */

import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { answerWith, parseJsonObject, type SignedService } from '../https/signed-service.ts';
import { AwsError, notImplemented, typeIn } from '../registry/aws-error.ts';
import { zipBytesMax } from './code.ts';
import type { FunctionCalls } from './function-calls.ts';
import type { FunctionOperations } from './function-operations.ts';

/** A zip is base64 inside JSON. */
const bytesMax = Math.ceil((zipBytesMax * 4) / 3) + 1024 * 1024;

type Act = (input: {
  name: string;
  extra: string;
  query: URLSearchParams;
  body: Buffer;
}) => Promise<unknown> | unknown;

/** `METHOD pattern` with `:name` a function and `:extra` one more part. */
function routesOf(operations: FunctionOperations): [string, number, Act][] {
  const json = (body: Buffer) => parseJsonObject(body);
  const base = '2015-03-31/functions';
  return [
    [`POST ${base}`, 201, ({ body }) => operations.create(json(body))],
    [`GET ${base}`, 200, ({ query }) => operations.list(query)],
    [`GET ${base}/:name`, 200, ({ name }) => operations.get(name)],
    [`DELETE ${base}/:name`, 204, ({ name }) => operations.remove(name)],
    [`GET ${base}/:name/configuration`, 200, ({ name }) => operations.configuration(name)],
    [
      `PUT ${base}/:name/configuration`,
      200,
      ({ name, body }) => operations.updateConfiguration(name, json(body)),
    ],
    [`PUT ${base}/:name/code`, 200, ({ name, body }) => operations.updateCode(name, json(body))],
    [`GET ${base}/:name/versions`, 200, ({ name }) => operations.versions(name)],
    [`POST ${base}/:name/policy`, 201, ({ name, body }) => operations.addPermission(name, json(body))],
    [`GET ${base}/:name/policy`, 200, ({ name }) => operations.policy(name)],
    [
      `DELETE ${base}/:name/policy/:extra`,
      204,
      ({ name, extra }) => operations.removePermission(name, extra),
    ],
    [
      'PUT 2017-10-31/functions/:name/concurrency',
      200,
      ({ name, body }) => operations.putConcurrency(name, json(body)),
    ],
    ['DELETE 2017-10-31/functions/:name/concurrency', 204, ({ name }) => operations.removeConcurrency(name)],
    ['GET 2019-09-30/functions/:name/concurrency', 200, ({ name }) => operations.concurrency(name)],
    [
      'PUT 2019-09-25/functions/:name/event-invoke-config',
      200,
      ({ name, body }) => operations.putEventInvoke(name, json(body)),
    ],
    ['GET 2019-09-25/functions/:name/event-invoke-config', 200, ({ name }) => operations.eventInvoke(name)],
    ['GET 2017-03-31/tags/:name', 200, ({ name }) => operations.tags(name)],
    ['POST 2017-03-31/tags/:name', 204, ({ name, body }) => operations.tag(name, json(body))],
  ];
}

/** The name in a name, a partial ARN or an ARN; of versions there is $LATEST alone. */
export function functionNameIn(given: string): string {
  const match =
    /^(?:(?:arn:[a-z-]+:lambda:[^:]*:)?\d{12}:function:|function:)?([A-Za-z0-9_-]{1,64})(?::(\$LATEST))?$/.exec(
      given,
    );
  if (!match?.[1])
    throw new AwsError(
      400,
      'ValidationException',
      `Value '${given.slice(0, 200)}' at 'functionName' is not a function's name, or names a version`,
    );
  return match[1];
}

export function lambdaService(operations: FunctionOperations, calls: FunctionCalls): SignedService {
  const routes = routesOf(operations).map(([pattern, status, act]) => {
    const [method = '', path = ''] = pattern.split(' ');
    return { method, parts: path.split('/'), status, act };
  });

  async function invoke(request: IncomingMessage, response: ServerResponse, name: string, body: Buffer) {
    const header = (key: string) => {
      const value = request.headers[key];
      return typeof value === 'string' ? value : undefined;
    };
    const answer = await calls.invoke({
      name,
      type: header('x-amz-invocation-type') ?? 'RequestResponse',
      wantsLog: header('x-amz-log-type') === 'Tail',
      payload: body,
    });
    answerWith(response, answer.status, 'application/json', answer.payload, {
      'x-amzn-requestid': answer.requestId,
      'x-amz-executed-version': '$LATEST',
      ...(answer.functionError && { 'x-amz-function-error': 'Unhandled' }),
      ...(answer.log !== undefined && { 'x-amz-log-result': answer.log.toString('base64') }),
    });
  }

  return {
    bytesMax,
    async handle(request, response, body) {
      const url = new URL(request.url ?? '/', 'https://localhost');
      const parts = url.pathname
        .replace(/^\/|\/$/g, '')
        .split('/')
        .map(decodeURIComponent);
      const method = request.method ?? 'GET';
      const qualifier = url.searchParams.get('Qualifier') ?? '$LATEST';
      if (qualifier !== '$LATEST') {
        throw new AwsError(
          404,
          'ResourceNotFoundException',
          `Function not found: ${parts[2] ?? ''}:${qualifier}: of versions there is $LATEST alone`,
        );
      }
      if (method === 'POST' && parts[1] === 'functions' && parts[3] === 'invocations' && parts.length === 4)
        return invoke(request, response, functionNameIn(parts[2] ?? ''), body);
      for (const route of routes) {
        const labels = route.method === method ? labelsOf(route.parts, parts) : undefined;
        if (!labels) continue;
        const name = labels.name === undefined ? '' : functionNameIn(labels.name);
        const answer = await route.act({ name, extra: labels.extra ?? '', query: url.searchParams, body });
        return answerWith(
          response,
          route.status,
          'application/json',
          route.status === 204 ? '' : JSON.stringify(answer),
        );
      }
      throw notImplemented(`${method} ${url.pathname} of Lambda`);
    },
    refuse(response, error) {
      const body = JSON.stringify({
        Type: error.status < 500 ? 'User' : 'Server',
        message: error.message,
        Message: error.message,
      });
      answerWith(response, error.status, 'application/json', body, {
        'x-amzn-errortype': typeIn(error, 'InvalidParameterValueException'),
        'x-amzn-requestid': randomUUID(),
      });
    },
  };
}

function labelsOf(
  pattern: readonly string[],
  parts: readonly string[],
): { name?: string; extra?: string } | undefined {
  if (pattern.length !== parts.length) return undefined;
  const labels: { name?: string; extra?: string } = {};
  for (const [index, wanted] of pattern.entries()) {
    const part = parts[index];
    if (part === undefined || part === '') return undefined;
    if (wanted === ':name') labels.name = part;
    else if (wanted === ':extra') labels.extra = part;
    else if (wanted !== part) return undefined;
  }
  return labels;
}
