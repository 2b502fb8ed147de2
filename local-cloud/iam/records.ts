/** What is on disk of roles. Times are ms since the epoch. */

export interface RoleRecord {
  roleName: string;
  path: string;
  description?: string;
  /** JSON text, as the policies. */
  assumeRolePolicy: string;
  /** In the role itself, by name. */
  policies: Record<string, string>;
  /** ARNs. */
  attached: string[];
  createdAtMs: number;
}
