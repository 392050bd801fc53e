import { type GraphQLSchema, getNamedType, isInputObjectType } from 'graphql';

/** The `input` of a mutation has the description of its type, written once: both name the same thing. */
export function describeInputs(schema: GraphQLSchema): void {
  for (const { args } of Object.values(schema.getMutationType()?.getFields() ?? {})) {
    for (const argument of args) {
      const type = getNamedType(argument.type);
      if (isInputObjectType(type)) argument.description ??= type.description;
    }
  }
}
