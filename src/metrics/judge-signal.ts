import type { Grain, SignalMeasure, SignalOperator, SignalState } from '#generated/prisma/enums.ts';

/** What is held against what. */
export interface Threshold {
  operator: SignalOperator;
  threshold: number;
  measure: SignalMeasure;
}

/** A metric's value in one period, and in the one before. */
export interface Measured {
  metric: string;
  /** The period in words, such as "the day of 2026-11-20". */
  period: string;
  value: number | null;
  previousValue: number | null;
}

export interface Judgement {
  state: SignalState;
  value: number | null;
  previousValue: number | null;
  /** What was found, in words. */
  message: string;
}

/** Whether it holds, and the words for that and for the opposite. */
const operators: Record<
  SignalOperator,
  { holds: (one: number, other: number) => boolean; is: string; isNot: string }
> = {
  GT: { holds: (one, other) => one > other, is: 'above', isNot: 'not above' },
  GTE: { holds: (one, other) => one >= other, is: 'at least', isNot: 'less than' },
  LT: { holds: (one, other) => one < other, is: 'below', isNot: 'not below' },
  LTE: { holds: (one, other) => one <= other, is: 'at most', isNot: 'more than' },
  EQ: { holds: (one, other) => one === other, is: 'equal to', isNot: 'not equal to' },
  NEQ: { holds: (one, other) => one !== other, is: 'not equal to', isNot: 'equal to' },
};

/** Holds what was measured against the threshold. NO_DATA where the number to be held against it does not exist. */
export function judge(measured: Measured, by: Threshold): Judgement {
  const { metric, period, value, previousValue } = measured;
  const found = { value, previousValue };
  const held = heldOf(measured, by.measure);
  if (typeof held === 'string') return { ...found, state: 'NO_DATA', message: held };
  const { holds, is, isNot } = operators[by.operator];
  const isTriggered = holds(held, by.threshold);
  const percent = by.measure === 'CHANGE_PERCENT' ? ' %' : '';
  const comparison = `${isTriggered ? is : isNot} ${shown(by.threshold)}${percent}`;
  const what =
    by.measure === 'VALUE'
      ? `was ${shown(held)}`
      : `changed by ${shown(held, percent === '' ? digits : percentDigits)}${percent}, from ${shown(previousValue as number)} to ${shown(value as number)},`;
  return {
    ...found,
    state: isTriggered ? 'TRIGGERED' : 'OK',
    message: `${metric} ${what} in ${period}${by.measure === 'VALUE' ? ',' : ':'} ${comparison}.`,
  };
}

/** The number to hold against the threshold, or why there is none. */
function heldOf({ metric, period, value, previousValue }: Measured, measure: SignalMeasure): number | string {
  if (value === null) return `${metric} has no value in ${period}.`;
  if (measure === 'VALUE') return value;
  const before = 'in the period before';
  if (previousValue === null)
    return `${metric} was ${shown(value)} in ${period} and has no value ${before}: there is no change to speak of.`;
  if (measure === 'CHANGE') return value - previousValue;
  if (previousValue === 0)
    return `${metric} was ${shown(value)} in ${period} and 0 ${before}: a change from 0 has no percentage.`;
  return (value / previousValue - 1) * 100;
}

/** The period that starts at `start`, in words, as the clocks of its time zone show it. */
export function periodWords(grain: Grain, start: Date, timeZone: string): string {
  const [day, time] = localOf(start, timeZone);
  const zone = timeZone === 'UTC' ? '' : ` (${timeZone})`;
  const [year, month] = day.split('-') as [string, string];
  switch (grain) {
    case 'MINUTE':
    case 'HOUR':
      return `the ${grain.toLowerCase()} of ${day} ${time}${zone}`;
    case 'DAY':
    case 'WEEK':
      return `the ${grain.toLowerCase()} of ${day}${zone}`;
    case 'MONTH':
      return `the month of ${year}-${month}${zone}`;
    case 'QUARTER':
      return `quarter ${Math.ceil(Number(month) / 3)} of ${year}${zone}`;
    case 'YEAR':
    default:
      return `the year ${year}${zone}`;
  }
}

/** [2026-11-20, 13:05]: Swedish is written as ISO 8601 is. */
function localOf(moment: Date, timeZone: string): [string, string] {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' });
  return format.format(moment).split(' ') as [string, string];
}

/** Without the last digits, in which 0.1 + 0.2 is not 0.3. */
const digits = 12;
/** A quotient has all its digits, and nobody wants them. */
const percentDigits = 6;

function shown(number: number, significant = digits): string {
  return String(Number(number.toPrecision(significant)));
}
