// What makes a long-lived process a service: privileges dropped, metrics and health, the service manager told.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "web/api.h"
#include "web/status.h"
#include "web/status_server.h"

namespace weir::cli {

struct ServiceSettings {
  std::string listen = "127.0.0.1:8384";  ///< metrics and health; "off": none
  std::string user;                       ///< to go on as, when started as root; empty: see drop_privileges()
  bool configures_links = false;          ///< it makes an interface, and removes it at the end
};

/// Purpose: the steps from a started process to a service that runs, in the order in which they are declared. Ownership: the server of metrics.
/// Threads: the main one.
class Service {
 public:
  /// First of all: before files are opened and threads begun. False: it is said why.
  bool begin(const ServiceSettings& settings);
  /// What else is answered, where there is a server; before ready().
  void use(web::Api api);
  /// Traffic is being seen; by so many rules, if not empty.
  void ready(std::string_view rules);
  /// Each second, for as long as all goes on.
  void alive(web::Status status);
  void ending();

 private:
  std::unique_ptr<web::StatusServer> server_;
};

}  // namespace weir::cli
