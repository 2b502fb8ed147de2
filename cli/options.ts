/** What the options of each command parse to. */

import type { Stage } from '../protocol/stages.ts';
import type { ExportTool } from '../signer/export/state-formats.ts';
import type { ImportSource } from '../signer/import/former-key.ts';
import type { CloudPlaceOptions } from './cloud-place.ts';
import type { CommonOptions } from './command-line.ts';

export interface DrillOptions {
  local?: boolean;
  fault: 'none' | 'gaiad' | 'signer' | 'pilot' | 'host' | 'freeze';
  times: number;
  blockSeconds: number;
  chain: string;
  out?: string;
  json?: boolean;
  verbose?: boolean;
}

export interface UpOptions {
  data?: string;
  chain?: string;
  blockSeconds?: number;
  mqttPort?: number;
  httpsPort?: number;
  validators: number;
  once?: boolean;
  verbose?: boolean;
}

export interface CloudCommandOptions extends CommonOptions, CloudPlaceOptions {
  dryRun?: boolean;
}

export interface ConfigureOptions extends CloudCommandOptions {
  recordKey?: string;
  automaticFailover?: boolean;
  cooldownSeconds?: number;
}

export interface RemoveOptions extends CloudCommandOptions {
  yes?: boolean;
}

export interface EditOptions extends CloudCommandOptions {
  version?: number;
}

export interface FailoverOptions extends CloudCommandOptions {
  to?: string;
  wait: boolean;
  timeout: number;
}

export interface DeployCommandOptions extends CloudCommandOptions {
  rules?: string;
  role?: string;
  runtime?: string;
}

export interface RuleTestOptions extends CommonOptions {
  rule: string;
  topic: string;
  payload: string;
  clientId?: string;
  principal?: string;
  shadow: string[];
}

export interface HomeOptions {
  home?: string;
  json?: boolean;
  dryRun?: boolean;
}

export interface InitOptions extends HomeOptions {
  fleet: string;
  node: string;
  kind: 'validator' | 'sentry';
  mode: Stage;
  zone?: string;
  standAlone?: boolean;
  mqtt?: string;
  /** Systemd runs gaiad and signer, as Beam's package has it. */
  packaged?: boolean;
  gaiad?: string;
  gaiadHome?: string;
  rpc: string;
  p2p: string;
  chainId?: string;
  credentials?: string;
  credentialProvider?: string;
  register: boolean;
  force?: boolean;
  endpoint?: string;
  ca?: string;
  region?: string;
  data?: string;
  aws?: boolean;
}

export interface EnrolOptions extends HomeOptions {
  guard: 'record' | 'local';
  chainNotStarted?: boolean;
  import?: string[];
  yes?: boolean;
}

export interface ImportOptions extends HomeOptions {
  from: ImportSource;
  key: string[];
  state?: string[];
  withoutState?: boolean;
  guard: 'record' | 'local';
  chainNotStarted?: boolean;
  yes?: boolean;
}

export interface EncryptKeyOptions extends HomeOptions {
  from?: string;
  out?: string;
  passphrase: string;
}

export interface ExportOptions extends HomeOptions {
  out: string;
  for: ExportTool;
  stateOnly?: boolean;
  credentials?: string;
  yes?: boolean;
}

export interface DoctorOptions extends HomeOptions {
  look?: string[];
}

export interface DryRunOptions extends HomeOptions {
  report?: boolean;
}

export interface JournalOptions extends HomeOptions {
  last: number;
  compare?: string[];
}

export interface AuthorityOptions {
  out: string;
  name: string;
  days: number;
  signedBy?: string;
  dryRun?: boolean;
  json?: boolean;
}

export interface IssueOptions {
  authority: string;
  csr: string;
  out: string;
  days: number;
  thing?: string;
  kind?: 'validator' | 'sentry';
  chain?: boolean;
  dryRun?: boolean;
  json?: boolean;
}

export interface CrlOptions {
  authority: string;
  revoke: string[];
  days: number;
  dryRun?: boolean;
  json?: boolean;
}

export interface CheckOptions {
  authority: string;
  withinDays: number;
  json?: boolean;
}

export interface RegisterCaOptions extends CloudCommandOptions {
  authority: string;
  mode: 'DEFAULT' | 'SNI_ONLY';
  justInTime: 'off' | 'register' | 'provision';
  fleet: string[];
}

export interface OwnAuthorityOptions extends CloudCommandOptions {
  authority: string;
}

export interface RegisterOptions extends CloudCommandOptions {
  fleet: string;
  node: string;
  kind: 'validator' | 'sentry';
  zone?: string;
  csr?: string;
  certificate?: string;
  authority?: string;
  out?: string;
}

export interface RegisterSelfOptions extends HomeOptions {
  claimCertificate?: string;
  claimKey?: string;
  keepClaim?: boolean;
  justInTime?: boolean;
  instanceIdentity?: boolean;
}

export interface RenewOptions extends HomeOptions {
  withinDays?: number;
}

export interface ClaimOptions extends CloudCommandOptions {
  out: string;
}

export interface RetireOptions extends CloudCommandOptions {
  keep?: string;
}

export interface AdmitOptions extends CloudCommandOptions {
  kind: 'validator' | 'sentry';
  zone?: string;
  hours: number;
  instance?: string;
}
