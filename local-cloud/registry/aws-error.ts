/** A refusal as AWS's APIs give it: HTTP status, the error's type, a message, and further members of the body. */
export class AwsError extends Error {
  readonly status: number;
  readonly type: string;
  readonly members: Record<string, string>;

  constructor(status: number, type: string, message: string, members: Record<string, string> = {}) {
    super(message);
    this.name = type;
    this.status = status;
    this.type = type;
    this.members = members;
  }
}

export const invalidRequest = (message: string) => new AwsError(400, 'InvalidRequestException', message);
export const notFound = (message: string) => new AwsError(404, 'ResourceNotFoundException', message);
export const alreadyExists = (message: string, resourceId: string, resourceArn: string) =>
  new AwsError(409, 'ResourceAlreadyExistsException', message, { resourceId, resourceArn });
export const versionConflict = (message: string) => new AwsError(409, 'VersionConflictException', message);
export const deleteConflict = (message: string) => new AwsError(409, 'DeleteConflictException', message);
export const notImplemented = (what: string) =>
  new AwsError(
    501,
    'NotImplementedException',
    `The local cloud does not have ${what}. AWS itself does: point the endpoint there.`,
  );

/** An error's type, where a service has a name of its own for input that does not fit. */
export function typeIn({ type }: AwsError, invalidType: string): string {
  return type === 'InvalidRequestException' ? invalidType : type;
}
