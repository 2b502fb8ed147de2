/**
 * What the engines can't do of what Beam asks of AWS, at the versions in peers.ts. Each is skipped by name and printed with its reason.
 * Look again whenever a version is raised. docs/aws.md has the same list for readers; docs/testing.md says what covers each.
 */

import type { PeerName } from './peers.ts';

export interface Skipped {
  name: string;
  reason: string;
}

export const skipped: Record<PeerName, readonly Skipped[]> = {
  ministack: [
    {
      name: 'policies of certificates',
      reason:
        "it looks at them with AUTH=true alone, and there knows no thing's attributes as policy variables: a pilot could not publish its health",
    },
    {
      name: "the functions' roles",
      reason:
        'it asks no role without AUTH=true; with it, a call for a named shadow is judged by the thing alone, not by thing/<thing>/<shadow> as on AWS',
    },
    {
      name: "the servers' role alias",
      reason: 'it has no credentials provider: validators take an access key from a file',
    },
    {
      name: 'registration by a claim',
      reason: 'over MQTT it makes keys itself and takes no CSR: servers are registered by an administrator',
    },
    {
      name: 'a throttled or failed function, tried again',
      reason: 'its rules call a function once: the sweep of each minute makes up for a lost call',
    },
    {
      name: "a revoked certificate's connection",
      reason: 'it goes on, and there is no DeleteConnection: a server is removed once its pilot is stopped',
    },
    {
      name: 'throttling and keepalive',
      reason: 'it has none: it takes as much as comes, and never cuts a client that is silent',
    },
  ],
  moto: [
    { name: 'pilots and rules', reason: 'it has no MQTT, and runs no rule: its control API alone is tried' },
    { name: 'functions that run', reason: 'it runs them in Docker, which this does not ask for' },
    { name: 'provisioning templates', reason: 'it does not know them: they are left out of the deployment' },
    {
      name: "the functions' dead-letter queue",
      reason: 'it forgets DeadLetterConfig: a second deployment sets it again',
    },
  ],
};
