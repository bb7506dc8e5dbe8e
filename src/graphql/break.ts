import { type Break as BreakShape, BreakingError } from '#catalog/breaks.ts';
import { builder } from './builder.ts';
import { globalId } from './global-id.ts';
import { attempt, type Payload } from './payload.ts';
import type { NodeType } from './rows.ts';

const BreakKind = builder.enumType('BreakKind', {
  description: 'What kind of thing works no more.',
  values: {
    METRIC: { description: 'A metric, which cannot be asked.' },
    SIGNAL: { description: 'A signal, whose metric cannot be asked.' },
    TRANSFORMATION: { description: 'A transformation by formulas, which cannot be computed.' },
  },
});

const typenames = {
  METRIC: 'Metric',
  SIGNAL: 'Signal',
  TRANSFORMATION: 'Transformation',
} as const satisfies Record<BreakShape['kind'], NodeType>;

/** A thing that worked before a change, and does not work after it. */
export const Break = builder.objectRef<BreakShape>('Break').implement({
  description: 'A thing that worked before a change, and does not work after it. Needs CONTROL_READ.',
  fields: (t) => ({
    kind: t.expose('kind', { type: BreakKind, description: 'What it is.' }),
    id: t.id({
      description: 'Its id, which node(id:) takes.',
      resolve: ({ kind, id }) => globalId(typenames[kind], id),
    }),
    name: t.exposeString('name', { description: 'Its name.' }),
    reason: t.exposeString('reason', { description: 'Why it does not work, as a sentence.' }),
  }),
});

/** What a change comes to that may break things: null as the value when it was refused, for what it would break or else. */
export interface Changed<Value> {
  value: Value | null;
  breaks: readonly BreakShape[];
}

/** Runs a write as attempt does, and keeps what it breaks, or would have broken where it was refused for that. */
export async function attemptBreaking<Value extends { breaks: readonly BreakShape[] }>(
  write: () => Promise<Value>,
): Promise<Payload<Changed<Value>>> {
  let refused: readonly BreakShape[] = [];
  const { value, problems } = await attempt(async () => {
    try {
      return await write();
    } catch (error) {
      if (error instanceof BreakingError) refused = error.breaks;
      throw error;
    }
  });
  return { value: { value, breaks: value?.breaks ?? refused }, problems };
}
