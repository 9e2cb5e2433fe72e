// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels

extension CredentialSet: Concealed {}
extension DevelopmentCredentials: Concealed {}
extension EdgeConfiguration.Credentials: Concealed {}
