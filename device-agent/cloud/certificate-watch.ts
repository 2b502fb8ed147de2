/** Sees when this server's certificate was replaced on disk, and hands the new one on. */

import { CertificateFileError } from '../../protocol/certificates.ts';
import type { Logger } from '../log.ts';
import type { CloudCredentials } from './credentials.ts';

/** Between two looks at the files. */
const lookMs = 20_000;
const expiryWarningMs = 30 * 86_400_000;

export interface CertificateWatchOptions {
  inUse: CloudCredentials;
  /** @throws CertificateFileError, also at the moment in which the files are changed over */
  read(): Promise<CloudCredentials>;
  /** Rejects where the new one does not work: it is tried again with the next look. */
  replace(credentials: CloudCredentials): Promise<void>;
  nowMs(): number;
  log: Logger;
  everyMs?: number;
}

export class CertificateWatch {
  readonly #options: CertificateWatchOptions;
  #inUse: CloudCredentials;
  #timer: NodeJS.Timeout | undefined;
  #warned = '';

  constructor(options: CertificateWatchOptions) {
    this.#options = options;
    this.#inUse = options.inUse;
  }

  start(): void {
    this.#warnOfEnd();
    this.#schedule();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(): void {
    this.#timer = setTimeout(async () => {
      await this.#look();
      if (this.#timer !== undefined) this.#schedule();
    }, this.#options.everyMs ?? lookMs);
  }

  async #look(): Promise<void> {
    const { read, replace, log } = this.#options;
    try {
      const found = await read();
      if (found.certificate !== this.#inUse.certificate) {
        await replace(found);
        this.#inUse = found;
        log.info({ validTo: new Date(found.validToMs).toISOString() }, 'changed over to the new certificate');
      }
    } catch (error) {
      // A file that is wrong stays so: once is enough. A connection may come about later.
      const reason = error instanceof Error ? error.message : String(error);
      const news = reason !== this.#warned;
      this.#warned = reason;
      const level = news && error instanceof CertificateFileError ? 'error' : news ? 'warn' : 'debug';
      log[level]({ reason }, 'the certificate on disk is not used; the one in use goes on');
    }
    this.#warnOfEnd();
  }

  #warnOfEnd(): void {
    const leftMs = this.#inUse.validToMs - this.#options.nowMs();
    const days = Math.floor(leftMs / 86_400_000);
    const warning = `ends in ${days} days`;
    if (leftMs >= expiryWarningMs || this.#warned === warning) return;
    this.#warned = warning;
    this.#options.log.warn({ days }, "this server's certificate ends soon: renew it with `beam certs renew`");
  }
}
