import { graphql } from '#generated/gql/gql.ts';

export const isMapped = graphql(/* GraphQL */ `
  query DemoIsMapped($kind: EntityKind!) {
    entityMapping(kind: $kind) {
      key
    }
  }
`);

export const mapEntity = graphql(/* GraphQL */ `
  mutation DemoMapEntity($input: MapEntityInput!) {
    mapEntity(input: $input) {
      userErrors {
        message
        fix
      }
    }
  }
`);

export const transformationByName = graphql(/* GraphQL */ `
  query DemoTransformation($name: String!) {
    transformation(name: $name) {
      id
    }
  }
`);

export const upsertTransformation = graphql(/* GraphQL */ `
  mutation DemoUpsertTransformation($input: UpsertTransformationInput!) {
    upsertTransformation(input: $input) {
      transformation {
        id
      }
      userErrors {
        message
        fix
      }
    }
  }
`);

export const runTransformation = graphql(/* GraphQL */ `
  mutation DemoRunTransformation($input: RunTransformationInput!) {
    runTransformation(input: $input) {
      task {
        id
      }
      userErrors {
        message
        fix
      }
    }
  }
`);

export const metricByName = graphql(/* GraphQL */ `
  query DemoMetric($name: String!) {
    metric(name: $name) {
      id
    }
  }
`);

export const createMetric = graphql(/* GraphQL */ `
  mutation DemoCreateMetric($input: CreateMetricInput!) {
    createMetric(input: $input) {
      metric {
        id
      }
      userErrors {
        message
        fix
      }
    }
  }
`);

export const signalByName = graphql(/* GraphQL */ `
  query DemoSignal($name: String!) {
    signal(name: $name) {
      id
    }
  }
`);

export const createSignal = graphql(/* GraphQL */ `
  mutation DemoCreateSignal($input: CreateSignalInput!) {
    createSignal(input: $input) {
      signal {
        id
      }
      userErrors {
        message
        fix
      }
    }
  }
`);

export const evaluateSignal = graphql(/* GraphQL */ `
  mutation DemoEvaluateSignal($input: EvaluateSignalInput!) {
    evaluateSignal(input: $input) {
      evaluation {
        state
        message
      }
      userErrors {
        message
        fix
      }
    }
  }
`);

export const activeUsersByPlan = graphql(/* GraphQL */ `
  query DemoActiveUsersByPlan($from: DateTime!, $to: DateTime!) {
    metric(name: "active_users") {
      series(grain: WEEK, from: $from, to: $to, by: ["organization.plan"], compareTo: PREVIOUS_YEAR) {
        points {
          at
          dimensions
          value
          previousValue
          change
        }
        sql
        cache
        freshness {
          syncedAt
          task {
            kind
            job {
              name
            }
          }
        }
      }
    }
  }
`);

export const metricsByMonth = graphql(/* GraphQL */ `
  query DemoMetricsByMonth($metrics: [String!]!, $from: DateTime!, $to: DateTime!) {
    metricTable(metrics: $metrics, grain: MONTH, from: $from, to: $to) {
      columns {
        name
      }
      rows
      sql
      cache
      freshness {
        syncedAt
      }
    }
  }
`);

export const organizationsWithEvents = graphql(/* GraphQL */ `
  query DemoOrganizations {
    organizations(first: 3, filter: { properties: [{ property: "plan", eq: "enterprise" }] }) {
      nodes {
        name
        userCount
        eventCount
        events(first: 1) {
          nodes {
            name
            at
            user {
              name
            }
          }
        }
      }
    }
  }
`);
