import { messageOf } from '#base/errors.ts';
import { ColumnMisfit, ConnectorError } from '#connectors/contract.ts';
import type { Compression } from './file-format.ts';
import { misfitIn } from './text-casts.ts';

interface OpenFile {
  door: string;
  file: { relative: string; named?: { compression: Compression } };
}

const moveAway =
  'Repair the file, or move it away (a name that begins with "_" is not read), and sync again.';

/**
 * What an error of DuckDB's scan says about the files: the value that does not fit, or which file is broken where and how.
 * Undefined when the error names none of the files, so that they are not to blame.
 */
export function explainScan(
  error: unknown,
  files: readonly OpenFile[],
): ColumnMisfit | ConnectorError | undefined {
  const message = messageOf(error);
  const misfit = misfitIn(message);
  if (misfit) return new ColumnMisfit(misfit.column, misfit.value, { cause: error });
  const named = files.find(({ door }) => message.includes(door));
  return named && brokenFile(error, named);
}

/** What an error says of the one file that was being read. */
export function brokenFile(error: unknown, { door, file }: OpenFile): ConnectorError {
  const { reason, fix } = isDamage(error) ? { reason: damaged, fix: undefined } : reasonIn(messageOf(error));
  // A row that ends too early may be where a compressed file was cut off: the scan often notices before the checksum does.
  const maybe =
    reason !== damaged && (file.named?.compression ?? 'none') !== 'none'
      ? '; or the compressed file is damaged or cut off'
      : '';
  return new ConnectorError(
    'SOURCE',
    `"${file.relative}" cannot be read: ${reason.replaceAll(door, file.relative)}${maybe}.`,
    {
      fix: fix ?? moveAway,
      cause: error,
    },
  );
}

const damaged = 'it is not the gzip or zstd that its name says, or it is damaged or cut off';

/** Node's decompressors name their errors Z_… and ZSTD_…. */
function isDamage(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return /^Z_|^ZSTD_/.test(code) || /gzip|zstd/i.test(messageOf(error).split('\n')[0]!);
}

function reasonIn(message: string): { reason: string; fix?: string } {
  const line = /CSV Error on Line: (\d+)/.exec(message)?.[1];
  const at = line === undefined ? '' : `line ${line}: `;
  const ragged = /Expected Number of Columns: (\d+) Found: (\d+)/.exec(message);
  if (ragged) {
    return {
      reason: `${at}it has ${ragged[2]} fields where the first line has ${ragged[1]}`,
      fix: 'Repair the line. A delimiter inside a value needs quotes around it; another delimiter is set with csv.delimiter.',
    };
  }
  if (/unterminated quote|quote should be followed/i.test(message)) {
    return { reason: `${at}a quote is opened and not closed where the value ends` };
  }
  if (/not utf-8|not valid for encoding utf-8|invalid unicode|invalid utf-?8|invalid UTF8/i.test(message)) {
    return { reason: `${at}it is not UTF-8 text`, fix: 'Save the file as UTF-8.' };
  }
  if (/maximum line size|maximum_object_size/i.test(message))
    return { reason: `${at}one row has more than 16 MB` };
  const json =
    /Malformed JSON in file .*?, at byte (\d+) in (?:line|record\/value) (\d+): ([^\n]*?)\.?\s*(?:\n|$)/.exec(
      message,
    );
  if (json) return { reason: `line ${json[2]}, byte ${json[1]}: it is not JSON: ${json[3]}` };
  if (/expected records|JSON transform error/i.test(message)) {
    return {
      reason: 'not every value in it is a JSON object',
      fix: 'A row must be one JSON object, such as {"id": 1}.',
    };
  }
  if (/magic bytes|not a parquet|too small to be a parquet/i.test(message))
    return { reason: 'it is not a Parquet file' };
  return { reason: `${at}${message.split('\n')[0]!.replace(/\.$/, '')}` };
}
