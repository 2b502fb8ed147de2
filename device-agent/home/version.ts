import manifest from '../../package.json' with { type: 'json' };

export const beamVersion: string = manifest.version;
