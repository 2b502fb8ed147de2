export function withKeysWrittenOut(source: string): string;
export function withPureSchemas(source: string): string;
