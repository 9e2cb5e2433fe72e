// SPDX-License-Identifier: Apache-2.0

import ConnectorCore

extension ControlCall {
    /// Takes the edge and the key from the options, the environment or the login file.
    init(_ edgeOptions: EdgeOptions, _ credentialOptions: CredentialOptions) throws(CommandFailure) {
        let access = try credentialOptions.resolve(edgeOptions)
        try self.init(access: access, certificateAuthorityFile: edgeOptions.authorities().file(for: access.edge))
        if edgeOptions.noRetry { self.patience = .zero }
    }
}
