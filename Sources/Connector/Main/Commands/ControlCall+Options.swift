// SPDX-License-Identifier: Apache-2.0

import ConnectorCore

extension ControlCall {
    /// Takes the edge and the key from the options, the environment or the login file.
    init(_ edgeOptions: EdgeOptions, _ credentialOptions: CredentialOptions) throws(CommandFailure) {
        try self.init(
            access: credentialOptions.resolve(edgeOptions),
            certificateAuthorityFile: edgeOptions.certificateAuthorityFile
        )
    }
}
