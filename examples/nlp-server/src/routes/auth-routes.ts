import type { Authenticator } from "../auth/authenticator.ts";
import { type Answer, json, Refusal, text } from "../http/answer.ts";
import type { Form } from "../http/form.ts";
import { missing, unprocessable } from "../http/issues.ts";
import type { FormRoute } from "./model.ts";

const nothing = (cookie?: string): Answer => ({
  ...text(204, ""),
  ...(cookie !== undefined && { headers: { "set-cookie": cookie } }),
});

/** Logging in and out as with fastapi-users, by a token in the answer or in a cookie. */
export function authRoutes(authenticator: Authenticator): (readonly [string, FormRoute])[] {
  return [
    ["/auth/jwt/login", { isOpen: true, answer: async (form) => tokenAnswer(logIn(authenticator, form)) }],
    [
      "/auth/cookie/login",
      {
        isOpen: true,
        answer: async (form) => nothing(authenticator.cookieOf(logIn(authenticator, form))),
      },
    ],
    ["/auth/jwt/logout", { isOpen: false, answer: async () => nothing() }],
    ["/auth/cookie/logout", { isOpen: false, answer: async () => nothing(authenticator.noCookie()) }],
  ];
}

function logIn(authenticator: Authenticator, form: Form): string {
  const [name, password] = [form.text("username"), form.text("password")];
  if (name === undefined || password === undefined) {
    throw unprocessable(
      ...(name === undefined ? [missing(["body", "username"])] : []),
      ...(password === undefined ? [missing(["body", "password"])] : []),
    );
  }
  const token = authenticator.logIn(name, password);
  if (token === undefined) throw new Refusal(json(400, { detail: "LOGIN_BAD_CREDENTIALS" }));
  return token;
}

function tokenAnswer(token: string): Answer {
  return json(200, { access_token: token, token_type: "bearer" });
}
