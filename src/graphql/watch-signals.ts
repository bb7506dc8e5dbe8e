import { visible } from '#accounts/visible.ts';
import { followSignals } from '#metrics/follow-signals.ts';
import { builder } from './builder.ts';
import { type Context, viewerOf } from './context.ts';
import { uuidOf } from './global-id.ts';
import { readRow } from './rows.ts';
import { SignalEvaluation } from './signal.ts';
import { follow, unknown } from './watch.ts';

builder.subscriptionFields((t) => ({
  signalEvaluated: t.field({
    type: SignalEvaluation,
    description:
      'Every evaluation from now on of one signal, or of all of the project, each once. Does not end. NOT_FOUND when the project has no such signal. Needs CONTROL_READ.',
    args: { signalId: t.arg.id({ description: 'The signal. Null for all signals of the project.' }) },
    subscribe: async (_root, args, context) => {
      const { projectId } = viewerOf(context);
      const signalId = args.signalId == null ? null : await knownSignal(context, args.signalId);
      return follow(context, (signal) => followSignals(context.app.metrics, { projectId, signalId, signal }));
    },
    resolve: async ({ evaluationId }, _args, context, info) => {
      const row = await readRow<typeof SignalEvaluation.$inferType>(
        context,
        info,
        'SignalEvaluation',
        evaluationId,
      );
      if (row === null) throw unknown('signal');
      return row;
    },
  }),
}));

async function knownSignal(context: Context, id: string): Promise<string> {
  const where = { id: uuidOf('Signal', id), ...visible(viewerOf(context)) };
  const signal = await context.app.store.db.signal.findFirst({ where, select: { id: true } });
  if (signal === null) throw unknown('signal');
  return signal.id;
}
