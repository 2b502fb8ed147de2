import { beamVersion } from '../home/version.ts';

/** `beam version`. */
export function versions(): { beam: string; node: string; platform: string } {
  return { beam: beamVersion, node: process.version, platform: `${process.platform} ${process.arch}` };
}
