/** Alerts as structured log lines: what CloudWatch's metric filters, or a person, look for is `"alert":`. */

import { log } from '../../aws/log.ts';
import type { AlertChannel } from '../channel.ts';

const levels = { info: 'info', warning: 'warn', critical: 'error' } as const;

export const logChannel: AlertChannel = {
  async tell({ kind, severity, text, ...fields }) {
    log(levels[severity], text, { alert: kind, severity, ...fields });
  },
};
