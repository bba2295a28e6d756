// Why a gate has decided as it has: the steps that the gate itself explains, as the page lists them. Nothing is decided here.

/** Steps at which the policy asks nothing, or that are not reached, would only be in the way. */
const SHOWN = ['passed', 'refused', 'would_be_asked'];

/** An admitted request has passed its limits too; what is left of them is in a header. */
function limitsOf(step, decision) {
  if (step.verdict !== 'would_be_asked' || !decision.ok) return step;
  return { ...step, verdict: 'passed', detail: decision.headers.RateLimit ?? step.detail };
}

/** `[{step, verdict, detail, policyPath}]` of an explanation, beside the decision about the same request. */
export const stepsOf = (explanation, decision) => explanation.steps.map((step) => limitsOf(step, decision)).filter(({ verdict }) => SHOWN.includes(verdict));
