/** Where alerts go. Each channel is one file in channels/. */

import type { AlertMessage } from '../../protocol/topics.ts';

export interface Alert {
  fleet: string;
  thing: string;
  kind: string;
  severity: AlertMessage['severity'];
  text: string;
  /** ms, the cloud's clock. */
  receivedAt: number;
  data?: AlertMessage['data'];
}

export interface AlertChannel {
  /** @throws where the alert could not be told: the cloud invokes again. */
  tell(alert: Alert): Promise<void>;
}
