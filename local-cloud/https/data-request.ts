/** A request to the data API, and what answers it. */

import type { IncomingHttpHeaders } from 'node:http';

export interface DataRequest {
  labels: Record<string, string>;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** JSON, or the bytes of a payload. */
export type DataAnswer = Buffer | { [member: string]: unknown };
export type DataHandler = (request: DataRequest) => Promise<DataAnswer> | DataAnswer;
