import { graphql } from '#generated/gql/gql.ts';

export const signUp = graphql(/* GraphQL */ `
  mutation DemoSignUp($input: SignUpInput!) {
    signUp(input: $input) {
      token
      userErrors {
        code
        message
        path
        fix
      }
    }
  }
`);

export const existing = graphql(/* GraphQL */ `
  query DemoExisting($source: String!, $destination: String!, $job: String!) {
    source(name: $source) {
      id
    }
    destination(name: $destination) {
      id
    }
    job(name: $job) {
      id
    }
  }
`);

export const createSource = graphql(/* GraphQL */ `
  mutation DemoCreateSource($input: CreateSourceInput!) {
    createSource(input: $input) {
      source {
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

export const updateSource = graphql(/* GraphQL */ `
  mutation DemoUpdateSource($input: UpdateSourceInput!) {
    updateSource(input: $input) {
      source {
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

export const discoverStreams = graphql(/* GraphQL */ `
  mutation DemoDiscoverStreams($input: DiscoverStreamsInput!) {
    discoverStreams(input: $input) {
      streams {
        namespace
        name
        syncModes
        primaryKey
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

export const createDestination = graphql(/* GraphQL */ `
  mutation DemoCreateDestination($input: CreateDestinationInput!) {
    createDestination(input: $input) {
      destination {
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

export const createJob = graphql(/* GraphQL */ `
  mutation DemoCreateJob($input: CreateJobInput!) {
    createJob(input: $input) {
      job {
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

export const writtenTables = graphql(/* GraphQL */ `
  query DemoTables {
    tables(first: 100) {
      nodes {
        fqn
        rowCount
      }
    }
  }
`);

export const tableSample = graphql(/* GraphQL */ `
  query DemoTableSample($fqn: String!, $first: Int!) {
    table(fqn: $fqn) {
      sample(first: $first) {
        columns {
          name
        }
        rows
      }
    }
  }
`);

export const datastores = graphql(/* GraphQL */ `
  query DemoDatastores {
    datastores(first: 50) {
      nodes {
        id
        name
      }
    }
  }
`);

export const createDatastore = graphql(/* GraphQL */ `
  mutation DemoCreateDatastore($input: CreateDatastoreInput!) {
    createDatastore(input: $input) {
      datastore {
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

export const updateDatastore = graphql(/* GraphQL */ `
  mutation DemoUpdateDatastore($input: UpdateDatastoreInput!) {
    updateDatastore(input: $input) {
      datastore {
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
