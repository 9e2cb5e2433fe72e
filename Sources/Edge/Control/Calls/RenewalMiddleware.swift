// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels
import HTTPTypes
import Hummingbird

/// Lets a caller pass who shows a tunnel token in place of an API key; what it opens is for the call to find out.
struct RenewalMiddleware: RouterMiddleware {
    /// Who shows anything else has to be let in by this.
    let credentials: CredentialMiddleware

    func handle(
        _ request: Request,
        context: ControlContext,
        next: (Request, ControlContext) async throws -> Response
    ) async throws -> Response {
        let fields = request.headers[values: .authorization]
        guard fields.count == 1, let text = BearerCredential.token(in: fields[0]), TunnelTokens.hasShape(of: text),
            // An operator may have chosen an API key that looks like one.
            self.credentials.keys.principal(for: text) == nil
        else {
            return try await self.credentials.handle(request, context: context, next: next)
        }
        var context = context
        context.tunnelToken = text
        return try await next(request, context)
    }
}
