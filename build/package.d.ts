export interface MadePackage {
  path: string;
  bytes: number;
  sha256: string;
}
export function makePackages(options: { out: string; arch?: string }): Promise<MadePackage[]>;
