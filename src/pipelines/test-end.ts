import type { Viewer } from '#accounts/viewer.ts';
import type { CheckResult } from '#connectors/contract.ts';
import { connectorProblems } from './classify-error.ts';
import { withinTime } from './connector-context.ts';
import type { PipelineDeps } from './deps.ts';
import { configOfRow, findEnd, unsavedConfig, type EndAsk, type EndKind } from './end-config.ts';

const answerWithinMs = 30_000;

/** Tries a source against the real system, within 30 s. What is wrong is the result, and never thrown. */
export async function testSource(deps: PipelineDeps, viewer: Viewer, ask: EndAsk): Promise<CheckResult> {
  return testEnd(deps, viewer, 'source', ask);
}

/** Tries a destination against the real system, within 30 s. What is wrong is the result, and never thrown. */
export async function testDestination(deps: PipelineDeps, viewer: Viewer, ask: EndAsk): Promise<CheckResult> {
  return testEnd(deps, viewer, 'destination', ask);
}

async function testEnd(deps: PipelineDeps, viewer: Viewer, kind: EndKind, ask: EndAsk): Promise<CheckResult> {
  try {
    const { connector, config } =
      ask.id == null
        ? unsavedConfig(deps, kind, ask)
        : configOfRow(deps, kind, await findEnd(deps, viewer, kind, ask.id));
    const what = `The check of the "${connector.type}" ${kind}`;
    const result = await withinTime(deps, viewer.projectId, { what, withinMs: answerWithinMs }, (context) =>
      connector.check(config, context),
    );
    // A connector names places in its config; the client's input has that config at "config".
    const problems = result.problems.map((problem) =>
      problem.path[0] === 'config' ? problem : { ...problem, path: ['config', ...problem.path] },
    );
    return { ...result, problems };
  } catch (error) {
    const problems = connectorProblems(error);
    if (!problems) throw error;
    return { ok: false, message: problems.map((problem) => problem.message).join(' '), problems };
  }
}
