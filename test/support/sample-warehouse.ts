import type { Viewer } from '#accounts/viewer.ts';
import { fillWarehouse } from './entities.ts';
import type { TestGraphql } from './graphql.ts';

const events = 20_000;

/** A number from 0 to below 1 for each n. */
const chance = (seed: number) => `((hash(n * 1000 + ${seed}) % 1000000) / 1000000.0)`;
const pick = (seed: number, ...words: string[]) =>
  `[${words.map((word) => `'${word}'`).join(', ')}][1 + (hash(n * 1000 + ${seed}) % ${words.length})::INT]`;

/** The tables that a sync of the demo's sample database leaves in the warehouse, with rows alike. */
export async function fillSampleWarehouse(gql: TestGraphql, viewer: Viewer): Promise<void> {
  await fillWarehouse(gql, viewer, [
    'CREATE SCHEMA raw',
    `CREATE TABLE raw.organizations AS SELECT n AS id, 'Organization ' || n AS name, ${pick(1, 'free', 'team', 'enterprise')} AS plan,
       ${pick(2, 'DE', 'US', 'FR', 'JP')} AS country, 1 + (${chance(3)} * 500)::INTEGER AS seats,
       TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_hours((${chance(4)} * 700 * 24)::INT) AS created_at FROM range(1, 201) t(n)`,
    `CREATE TABLE raw.users AS SELECT n AS id, 1 + (hash(n) % 200)::BIGINT AS organization_id, 'user' || n || '@example.com' AS email,
       ${pick(11, 'Ada', 'Grace', 'Zoë')} || ' ' || ${pick(12, 'Lovelace', 'Hopper', 'Müller')} AS name, ${chance(13)} < 0.05 AS is_admin,
       CASE WHEN ${chance(14)} < 0.7 THEN DATE '1960-01-01' + (${chance(15)} * 16000)::INT END AS birthday,
       ('{"theme":"' || ${pick(16, 'light', 'dark')} || '","logins":' || (${chance(17)} * 900)::INT || '}')::JSON AS properties,
       TIMESTAMPTZ '2025-01-01 00:00:00+00' + to_hours((${chance(18)} * 600 * 24)::INT) AS created_at FROM range(1, 5001) t(n)`,
    `CREATE TABLE raw.orders AS SELECT uuid() AS id, 1 + (${chance(21)} * 4999)::BIGINT AS user_id,
       ${pick(22, 'pending', 'paid', 'paid', 'shipped', 'refunded')} AS status, (5 + ${chance(23)} * 500)::DECIMAL(12, 2) AS amount,
       ${pick(24, 'EUR', 'USD', 'JPY')} AS currency, ['gift'] AS tags, NULL::VARCHAR AS note,
       TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_minutes((${chance(25)} * 320 * 1440)::INT) AS ordered_at FROM range(1, 20001) t(n)`,
    `CREATE TABLE raw.events AS SELECT n AS id, user_id, 1 + (hash(user_id) % 200)::BIGINT AS organization_id, name,
       TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_seconds(n * 320 * 86400 / ${events + 1}) AS at,
       CASE WHEN name = 'query_run' THEN 5 + (${chance(33)} * 60000)::INTEGER END AS duration_ms,
       ('{"path":"/' || ${pick(34, 'home', 'reports', 'billing')} || '","browser":"' || ${pick(35, 'firefox', 'chrome', 'safari')} || '"}')::JSON AS properties
       FROM (SELECT n, 1 + (pow(${chance(30)}, 2) * 4999)::BIGINT AS user_id,
         ${pick(31, 'page_viewed', 'page_viewed', 'report_opened', 'query_run', 'report_shared', 'invite_sent')} AS name FROM range(1, ${events + 1}) t(n))`,
  ]);
}
