// What the log says of an X.509 certificate.
#pragma once

#include <span>

#include "inspect/apps/records.h"

namespace weir::inspect::apps {

/// Fills in subject, issuer, serial, fingerprint, validity and names. False: it is no certificate.
bool read_certificate(std::span<const std::byte> der, TlsRecord& record);

}  // namespace weir::inspect::apps
