/** The id of a thing as the API gives it: base64url of "Type:uuid". */
export function globalId(typename: string, uuid: string): string {
  return Buffer.from(`${typename}:${uuid}`).toString('base64url');
}
