import type { BuildOptions } from 'esbuild';

export function lambdaBuild(root: string): BuildOptions;
export function lambdaNames(root: string): { name: string; entry: string }[];
