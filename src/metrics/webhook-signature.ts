import { createHmac, randomBytes } from 'node:crypto';

/** A new secret, shown once to whoever is to verify what it signs. */
export function newWebhookSecret(): string {
  return `whsec_${randomBytes(32).toString('base64url')}`;
}

/**
 * The header Sluice-Signature of a body sent at that moment: `t=<unix seconds>,v1=<hex>`, where v1 is the HMAC-SHA256 of
 * "t.body" under the secret as it was shown. Being signed with its time, what was recorded cannot be sent again for long.
 */
export function signatureOf(secret: string, body: string, at: Date): string {
  const seconds = Math.floor(at.getTime() / 1_000);
  const mac = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
  return `t=${seconds},v1=${mac}`;
}
