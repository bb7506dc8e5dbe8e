const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** A number of bytes for people: "512 bytes", "28.6 MiB". */
export function sizeWords(bytes: bigint): string {
  let [size, at] = [Number(bytes), 0];
  for (; size >= 1024 && at < units.length - 1; at += 1) size /= 1024;
  return `${at === 0 ? size : size.toFixed(1)} ${units[at]}`;
}
