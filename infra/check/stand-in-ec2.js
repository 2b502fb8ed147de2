/**
 * A stand-in for what install.sh asks of AWS on a server: the instance's metadata (IMDSv2: nothing without a token), EC2's addresses and
 * SSM's parameters, in the forms that AWS's own command line reads. It is no EC2: it knows these few calls, and one fleet.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';

const xml = (action, inside) =>
  `<${action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">${inside}</${action}Response>`;

/** @param {{ allocation: string, node: string, ip: string, instance?: string }} address */
function addressXml({ allocation, node, ip, instance }, fleet) {
  const tags = { 'beam:fleet': fleet, 'beam:node': node };
  const tagSet = Object.entries(tags).map(
    ([key, value]) => `<item><key>${key}</key><value>${value}</value></item>`,
  );
  const association = instance
    ? `<associationId>eipassoc-1</associationId><instanceId>${instance}</instanceId>`
    : '';
  return `<item><publicIp>${ip}</publicIp><allocationId>${allocation}</allocationId>${association}<tagSet>${tagSet.join('')}</tagSet></item>`;
}

/**
 * @param {object} world
 * @param {string} world.fleet
 * @param {Record<string, string>} world.metadata by path
 * @param {{ allocation: string, node: string, ip: string, instance?: string }[]} world.addresses changed by AssociateAddress
 * @param {string[]} world.takenMeanwhile allocations that another instance takes just before it is asked for
 * @param {Record<string, string>} world.parameters
 */
export async function standInForEc2(world) {
  const token = 'a-token-of-imds-v2';
  const ec2 = {
    DescribeAddresses(form) {
      const filters = new Map();
      for (let n = 1; form.has(`Filter.${n}.Name`); n++)
        filters.set(form.get(`Filter.${n}.Name`), form.get(`Filter.${n}.Value.1`));
      const known = ['instance-id', 'tag:beam:fleet'];
      for (const name of filters.keys()) if (!known.includes(name)) throw new Error(`no filter ${name} here`);
      const found = world.addresses.filter(
        ({ instance }) =>
          (!filters.has('instance-id') || instance === filters.get('instance-id')) &&
          (!filters.has('tag:beam:fleet') || filters.get('tag:beam:fleet') === world.fleet),
      );
      return `<addressesSet>${found.map((one) => addressXml(one, world.fleet)).join('')}</addressesSet>`;
    },
    AssociateAddress(form) {
      const address = world.addresses.find(({ allocation }) => allocation === form.get('AllocationId'));
      if (!address) throw new Error('there is no such allocation');
      if (world.takenMeanwhile.includes(address.allocation)) address.instance ??= 'i-0another';
      const mayTakeAway = form.get('AllowReassociation') !== 'false';
      if (address.instance && !mayTakeAway) return undefined;
      address.instance = form.get('InstanceId') ?? '';
      return '<return>true</return><associationId>eipassoc-2</associationId>';
    },
  };
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    const { url = '/', method, headers } = request;
    const answer = (status, text, type = 'text/plain') =>
      response.writeHead(status, { 'content-type': type }).end(text);
    try {
      if (url === '/latest/api/token')
        return headers['x-aws-ec2-metadata-token-ttl-seconds'] && method === 'PUT'
          ? answer(200, token)
          : answer(405, 'PUT, with the seconds that it is to live');
      if (url.startsWith('/latest/meta-data/')) {
        if (headers['x-aws-ec2-metadata-token'] !== token) return answer(401, 'no token of IMDSv2');
        const value = world.metadata[url.slice('/latest/meta-data/'.length)];
        return value === undefined ? answer(404, 'not here') : answer(200, value);
      }
      if (headers['x-amz-target'] === 'AmazonSSM.GetParameter') {
        const { Name, WithDecryption } = JSON.parse(body);
        const Value = WithDecryption ? world.parameters[Name] : undefined;
        return Value === undefined
          ? answer(400, JSON.stringify({ __type: 'ParameterNotFound' }), 'application/x-amz-json-1.1')
          : answer(
              200,
              JSON.stringify({ Parameter: { Name, Value, Type: 'SecureString' } }),
              'application/x-amz-json-1.1',
            );
      }
      const form = new URLSearchParams(body);
      const action = form.get('Action') ?? '';
      const inside = ec2[action]?.(form);
      if (inside !== undefined) return answer(200, xml(action, inside), 'text/xml');
      const code = action in ec2 ? 'Resource.AlreadyAssociated' : 'InvalidAction';
      return answer(
        400,
        `<Response><Errors><Error><Code>${code}</Code><Message>not here</Message></Error></Errors></Response>`,
        'text/xml',
      );
    } catch (error) {
      return answer(500, String(error));
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
