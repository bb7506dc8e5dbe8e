/** A statement of our Redshift dialect as PostgreSQL takes it: what is syntax there; the functions are in redshift-functions.sql. */
export function translate(text: string): string {
  let translated = text
    .replaceAll(/\b(enable_case_sensitive_identifier|query_group)\b/g, 'redshift.$1')
    .replace('SELECT version()', 'SELECT redshift.version()')
    // Its grammar is older than these, and has no word that fits there.
    .replaceAll(/\b(DEALLOCATE|DISCARD|CLOSE) ALL\b/g, '$1 "not of Redshift" ALL')
    .replaceAll('format_type(', 'redshift.type_name(')
    .replaceAll('JSON_SERIALIZE(', 'redshift.json_serialize(')
    .replaceAll(/\b(DATEADD|DATEDIFF)\((\w+),/g, "$1('$2',")
    .replaceAll('lists.list AS item', 'jsonb_array_elements(lists.list) AS item')
    .replaceAll(/CAST\((item(?:\[\d+\])?) AS VARCHAR\(65535\)\)/g, "($1 #>> '{}')")
    .replaceAll('UNPIVOT objects.o AS v AT k', 'jsonb_each(objects.o) AS u(k, v)');
  for (let at = translated.lastIndexOf(tryCast); at >= 0; at = translated.lastIndexOf(tryCast, at - 1)) {
    translated = castTried(translated, at);
  }
  return translated;
}

const tryCast = 'TRY_CAST(';

/** TRY_CAST(value AS type) as a function of the value and of a NULL of the type. */
function castTried(text: string, at: number): string {
  let depth = 1;
  let as = -1;
  let end = at + tryCast.length;
  for (; depth > 0 && end < text.length; end += 1) {
    const sign = text[end];
    if (sign === "'" || sign === '"') end = text.indexOf(sign, end + 1);
    else if (sign === '(') depth += 1;
    else if (sign === ')') depth -= 1;
    else if (depth === 1 && text.startsWith(' AS ', end)) as = end;
  }
  const value = text.slice(at + tryCast.length, as);
  const type = text.slice(as + 4, end - 1);
  return `${text.slice(0, at)}redshift.try_cast(${value}, CAST(NULL AS ${type}))${text.slice(end)}`;
}
