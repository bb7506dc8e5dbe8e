import type { SecretBox, SecretPlace } from '#accounts/secrets.ts';
import type { Problem } from '#base/errors.ts';
import { findTarget, OutgoingError } from '#base/outgoing.ts';
import type { Json } from '#connectors/contract.ts';
import type { Prisma } from '#generated/prisma/client.ts';
import { newWebhookSecret } from './webhook-signature.ts';

/** As it is stored: the URL may hold a token, so that only its host can be read. */
interface StoredWebhook {
  host: string;
  url: Json;
  secret: Json;
}

/** Where a signal sends its webhooks, and what it signs them with. */
export interface Webhook {
  url: string;
  secret: string;
}

interface SignalPlace {
  projectId: string;
  id: string;
}

/** What is wrong with a URL for webhooks. Looks its host up. */
export async function checkWebhookUrl(url: string, allowed: readonly string[]): Promise<Problem[]> {
  try {
    await findTarget(url, allowed);
    return [];
  } catch (error) {
    if (!(error instanceof OutgoingError)) throw error;
    const problem = { path: ['webhookUrl'], message: `webhookUrl cannot be used. ${error.message}` };
    return error.refused
      ? [
          {
            ...problem,
            code: 'INVALID',
            fix: 'Use a public https:// URL, or have its host named in SLUICE_WEBHOOK_HOSTS.',
          },
        ]
      : [{ ...problem, code: 'CONNECTION_FAILED', fix: 'Check the host.' }];
  }
}

/** Seals a URL to the signal, under a secret of its own. */
export function sealWebhook(
  box: SecretBox,
  signal: SignalPlace,
  url: string,
): { stored: Prisma.InputJsonObject; secret: string } {
  const secret = newWebhookSecret();
  return {
    secret,
    stored: {
      host: new URL(url).host,
      url: box.seal(url, place(signal, 'webhook.url')),
      secret: box.seal(secret, place(signal, 'webhook.secret')),
    },
  };
}

/** The webhook of a signal; null when it has none. Fails with INTERNAL when the key that sealed it is not at hand. */
export function openWebhook(
  box: SecretBox,
  signal: SignalPlace & { webhook: Prisma.JsonValue },
): Webhook | null {
  const stored = storedWebhook(signal.webhook);
  return (
    stored && {
      url: box.open(stored.url, place(signal, 'webhook.url')),
      secret: box.open(stored.secret, place(signal, 'webhook.secret')),
    }
  );
}

/** Where the webhooks of a signal go, as far as it may be shown; null when it has none. */
export function webhookHost(webhook: Prisma.JsonValue): string | null {
  return storedWebhook(webhook)?.host ?? null;
}

/** Written by sealWebhook alone, in this shape. */
function storedWebhook(webhook: Prisma.JsonValue): StoredWebhook | null {
  return webhook as unknown as StoredWebhook | null;
}

function place({ projectId, id }: SignalPlace, field: string): SecretPlace {
  return { projectId, row: id, field };
}
