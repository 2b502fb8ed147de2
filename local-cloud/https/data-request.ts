/** A request to the data API, and what answers it. */

import type { IncomingHttpHeaders } from 'node:http';

export interface DataRequest {
  labels: Readonly<Record<string, string>>;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** The asker's. */
  ipAddress?: string;
}

/** What becomes JSON, or a payload that is JSON already. */
export type DataAnswer = string | { [member: string]: unknown };
export type DataHandler = (request: DataRequest) => Promise<DataAnswer> | DataAnswer;
