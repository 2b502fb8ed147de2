export function deterministicZip(files: Record<string, Uint8Array>): Uint8Array;
export function writeLambdaZip(folder: string, name: string): void;
export function lambdaZip(code: Uint8Array): Uint8Array;
