export function lastJsonLine(stdout: string): Record<string, unknown> | undefined;
export function judgeDrill(fault: string, result: Record<string, unknown> | undefined): string[];
