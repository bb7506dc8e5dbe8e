import { graphql } from '#generated/gql/gql.ts';

export const jobByName = graphql(/* GraphQL */ `
  query JobByName($name: String!) {
    job(name: $name) {
      id
      name
    }
  }
`);

export const jobById = graphql(/* GraphQL */ `
  query JobById($id: ID!) {
    job(id: $id) {
      id
      name
    }
  }
`);

export const testEndpoint = graphql(/* GraphQL */ `
  mutation TestEndpoint($input: TestEndpointInput!) {
    testEndpoint(input: $input) {
      readBytes
      userErrors {
        message
        fix
      }
    }
  }
`);

export const jobNames = graphql(/* GraphQL */ `
  query JobNames {
    jobs(first: 100) {
      nodes {
        name
      }
    }
  }
`);

export const syncJob = graphql(/* GraphQL */ `
  mutation SyncJob($input: SyncJobInput!) {
    syncJob(input: $input) {
      task {
        id
      }
      userErrors {
        code
        message
        path
        fix
      }
    }
  }
`);

export const cancelTask = graphql(/* GraphQL */ `
  mutation CancelTask($input: CancelTaskInput!) {
    cancelTask(input: $input) {
      task {
        id
        status
      }
      userErrors {
        code
        message
        path
        fix
      }
    }
  }
`);

export const taskUpdated = graphql(/* GraphQL */ `
  subscription TaskUpdated($taskId: ID!) {
    taskUpdated(taskId: $taskId) {
      id
      kind
      status
      runtimeMs
      rowsRead
      rowsWritten
      bytesRead
      streams {
        namespace
        name
        status
        rowsRead
        rowsWritten
        estimatedRows
      }
      error {
        kind
        message
        fix
      }
    }
  }
`);

export const taskLogs = graphql(/* GraphQL */ `
  subscription TaskLogs($taskId: ID!, $after: String, $minLevel: LogLevel) {
    taskLogs(taskId: $taskId, after: $after, minLevel: $minLevel) {
      cursor
      lines {
        at
        level
        stream
        message
      }
    }
  }
`);
