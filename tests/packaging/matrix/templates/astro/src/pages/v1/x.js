export const GET = ({ locals }) => new Response(locals.auth.subject);
