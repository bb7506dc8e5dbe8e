import DataLoader from 'dataloader';
import type { AppError } from '#base/errors.ts';
import { askMetrics } from '#metrics/ask-metrics.ts';
import type { MetricAnswer, Question } from '#metrics/question.ts';
import { askerOf, type Context } from './context.ts';
import type { Connection } from './page.ts';

interface Asking {
  loader: DataLoader<Question, MetricAnswer, string>;
  /** Lookups of metrics that are not back yet: what hangs on them is asked together with the rest. */
  lookups: Set<Promise<unknown>>;
}

const askings = new WeakMap<Context, Asking>();

/**
 * Answers a question. All questions of one operation, whichever fields and aliases they come from, are asked at once, so that
 * those over the same rows share a statement; equal ones are asked once. Fails with that question's own AppError.
 */
export function askTogether(context: Context, question: Question): Promise<MetricAnswer> {
  return askingOf(context).loader.load(question);
}

/** Lets questions wait for a lookup, whose metric may be asked something too. Returns what it is given. */
export function awaitLookup<Found>(context: Context, lookup: Promise<Found>): Promise<Found> {
  const { lookups } = askingOf(context);
  lookups.add(lookup);
  const forget = () => lookups.delete(lookup);
  lookup.then(forget, forget);
  return lookup;
}

/** A page of metrics that questions wait for as for a lookup. */
export function awaitPage<Row>(context: Context, page: Connection<Row>): Connection<Row> {
  return {
    get edges() {
      return awaitLookup(context, page.edges);
    },
    pageInfo: page.pageInfo,
    totalCount: page.totalCount,
  };
}

function askingOf(context: Context): Asking {
  const known = askings.get(context);
  if (known) return known;
  const lookups = new Set<Promise<unknown>>();
  const loader = new DataLoader<Question, MetricAnswer, string>((questions) => ask(context, questions), {
    cache: false,
    batchScheduleFn: (dispatch) => void whenStill(lookups).then(dispatch),
  });
  const asking = { loader, lookups };
  askings.set(context, asking);
  return asking;
}

/** Once no lookup is under way, and what resolved meanwhile has asked too: a turn of the event loop later. */
async function whenStill(lookups: ReadonlySet<Promise<unknown>>): Promise<void> {
  do {
    await Promise.allSettled(lookups);
    await new Promise((resolve) => setImmediate(resolve));
  } while (lookups.size > 0);
}

async function ask(context: Context, questions: readonly Question[]): Promise<(MetricAnswer | AppError)[]> {
  const unique = new Map(questions.map((question) => [JSON.stringify(question), question]));
  const answers = await askMetrics(context.app.metrics, askerOf(context), [...unique.values()]);
  const places = new Map([...unique.keys()].map((key, place) => [key, place]));
  return questions.map((question) => answers[places.get(JSON.stringify(question))!]!);
}
