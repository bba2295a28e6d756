/** Whether a claim `scope` has this one. */
export const hasScope = (scope, wanted) => typeof scope === 'string' && scope.split(' ').includes(wanted);
