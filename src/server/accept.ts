/** The kinds of answer that a client takes. */
export interface Accepted {
  /** For one result; null when neither is taken. */
  json: 'application/graphql-response+json' | 'application/json' | null;
  /** For a stream of results. */
  events: boolean;
}

const jsonTypes = ['application/json', 'application/graphql-response+json'] as const;

/** Reads an Accept header; without one, or for a wildcard, application/json is taken, and event streams too. */
export function parseAccept(header: string | undefined): Accepted {
  const ranges = (header?.trim() || '*/*').split(',').map((range) => {
    const [type = '', ...parameters] = range.toLowerCase().replace(/\s/g, '').split(';');
    const quality = Number(parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? 1);
    const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice(8) ?? 'utf-8';
    return { type, quality: /^"?utf-?8"?$/.test(charset) && quality > 0 ? quality : 0 };
  });
  const qualityOf = (type: string) => {
    const exact = ranges.find((range) => range.type === type);
    const wild = ranges.find((range) => range.type === `${type.split('/')[0]}/*` || range.type === '*/*');
    return (exact ?? wild)?.quality ?? 0;
  };
  const byQuality = jsonTypes
    .map((type, order) => {
      const listed = ranges.findIndex((range) => range.type === type);
      return { type, quality: qualityOf(type), listed: listed < 0 ? ranges.length + order : listed };
    })
    .filter(({ quality }) => quality > 0)
    .sort((one, other) => other.quality - one.quality || one.listed - other.listed);
  return { json: byQuality[0]?.type ?? null, events: qualityOf('text/event-stream') > 0 };
}
