// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels
import HTTPTypes
import Hummingbird
import NIOCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Lets nobody pass without an API key, and, on calls that change something, without its one-time code.
struct CredentialMiddleware: RouterMiddleware {
    let keys: APIKeyStore
    let codes: OneTimePasswordGuard
    let limits: APILimits
    let now: @Sendable () -> Date

    func handle(
        _ request: Request,
        context: ControlContext,
        next: (Request, ControlContext) async throws -> Response
    ) async throws -> Response {
        let known = context.principal
        let principal =
            if let known { known } else {
                try await self.authenticate(request.headers, remoteAddress: context.remoteAddress)
            }
        context.audit.note(principal: principal.name)
        let decision = await self.limits.decide(.calls, by: principal.name)
        guard decision.isAllowed else { throw Problem.rateLimited(decision, by: .calls) }
        // Who has signed in has shown a code.
        if known == nil, request.method != .get && request.method != .head {
            try await self.checkCode(request.headers, principal: principal)
        }
        var context = context
        context.principal = principal
        var response = try await next(request, context)
        response.headers[.rateLimitPolicy] = self.limits.policyField(of: .calls)
        response.headers[.rateLimit] = APILimit.calls.field(decision)
        return response
    }

    /// Lets in who shows a key, and its one-time code.
    func signIn(_ fields: HTTPFields, remoteAddress: SocketAddress?, audit: AuditRecord) async throws -> Principal {
        let principal = try await self.authenticate(fields, remoteAddress: remoteAddress)
        audit.note(principal: principal.name)
        let decision = await self.limits.decide(.calls, by: principal.name)
        guard decision.isAllowed else { throw Problem.rateLimited(decision, by: .calls) }
        try await self.checkCode(fields, principal: principal)
        return principal
    }

    /// Finds out who calls.
    ///
    /// A valid key always passes: who shares an address with an attacker isn't locked out, and 160 random bits need no
    /// lock against guessing. Whoever guesses wrongly is slowed.
    private func authenticate(_ fields: HTTPFields, remoteAddress: SocketAddress?) async throws -> Principal {
        let credentials = fields[values: .authorization]
        if credentials.count == 1, let key = BearerCredential.token(in: credentials[0]),
            let principal = self.keys.principal(for: key)
        {
            return principal
        }
        // A call without any credentials is a question, not a guess.
        guard !credentials.isEmpty else { throw Problem.missingCredentials }
        let decision = await self.limits.wrongKey(from: remoteAddress)
        throw decision.isAllowed ? Problem.invalidCredentials : Problem.rateLimited(decision, by: .logins)
    }

    private func checkCode(_ fields: HTTPFields, principal: Principal) async throws {
        if let code = fields[.culvertOTP],
            code.utf8.count != 6 || !code.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        {
            throw Problem.invalidParameter(field: "Culvert-OTP", detail: "Culvert-OTP has to be six digits.")
        }
        guard let password = principal.oneTimePassword else { return }
        guard let code = fields[.culvertOTP] else { throw Problem.oneTimePasswordRequired }
        // Six digits can be guessed, so that nobody may try more than a few, not even from many addresses.
        let tried = await self.limits.decide(.codes, by: principal.name)
        guard tried.isAllowed else { throw Problem.rateLimited(tried, by: .codes) }
        let seconds = Int64(self.now().timeIntervalSince1970)
        guard await self.codes.accept(code, for: password, keyName: principal.name, at: seconds) else {
            throw Problem.invalidOneTimePassword
        }
        await self.limits.giveBackCode(of: principal.name)
    }
}

/// `Authorization: Bearer <token>` (RFC 6750 §2.1).
enum BearerCredential {
    /// The token in the value of an `Authorization` field; `nil` for other schemes.
    static func token(in value: String) -> String? {
        let scheme = "bearer "
        guard value.utf8.count > scheme.utf8.count, value.prefix(scheme.count).lowercased() == scheme else {
            return nil
        }
        let space = UInt8(ascii: " ")
        let token = value.utf8.dropFirst(scheme.utf8.count).drop { $0 == space }
        return token.isEmpty || token.contains(space) ? nil : String(Substring(token))
    }
}
