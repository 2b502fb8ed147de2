import type { BuildOptions } from 'esbuild';

/** The checkout. */
export const root: string;
export function bundleOptions(outdir: string): BuildOptions;
export function bundle(outDir: string): Promise<void>;
export function currentBundles(): Promise<string>;
export function bundleProcesses(outDir: string, names: string[]): Promise<string[]>;
