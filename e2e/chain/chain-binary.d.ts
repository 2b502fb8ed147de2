export function chainBinary(given?: string): string;
