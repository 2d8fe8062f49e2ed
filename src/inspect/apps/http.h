// HTTP/1 in the two streams of a connection, read by libhtp.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "inspect/apps/application.h"

struct htp_connp_t;
struct htp_tx_t;
struct htp_tx_data_t;

namespace weir::inspect::apps {

/// Purpose: requests, responses and the files in their bodies, out of the streams of one connection. Bounds: Limits::app_*.
/// Owner: an Application; one thread. libhtp's callbacks end here.
class Http {
 public:
  explicit Http(const ApplicationSettings& settings);
  ~Http();
  Http(const Http&) = delete;
  Http& operator=(const Http&) = delete;

  void data(const ApplicationSettings&, Direction, std::uint64_t offset, std::span<const std::byte>, TimeNs, Sink&);
  void gap(const ApplicationSettings&, Direction, std::uint64_t bytes, TimeNs, Sink&);
  void fin(const ApplicationSettings&, Direction, TimeNs, Sink&);
  void end(const ApplicationSettings&, TimeNs, Sink&);
  bool done() const { return stopped_[0] && stopped_[1]; }

  struct Message;
  struct Exchange;
  // From libhtp.
  void request_start(htp_tx_t* tx);
  void request_headers(htp_tx_t* tx);
  void request_raw(const htp_tx_data_t* data);
  void request_body(const htp_tx_data_t* data);
  void request_complete(htp_tx_t* tx);
  void response_start(htp_tx_t* tx);
  void response_headers(htp_tx_t* tx);
  void response_raw(const htp_tx_data_t* data);
  void response_body(const htp_tx_data_t* data);
  void response_complete(htp_tx_t* tx);
  void exchange_complete(htp_tx_t* tx);

 private:
  struct Call;
  Exchange* exchange(htp_tx_t* tx);
  std::uint64_t position(Direction d) const;
  void body(Exchange& e, Direction d, std::span<const std::byte> bytes);
  void decoded(Exchange& e, Direction d, std::span<const std::byte> bytes);
  void tell_body(Exchange& e, Direction d);
  void tell_file(Exchange& e, Direction d);
  void end_body(Exchange& e, Direction d, bool whole);
  void tell_stage(Exchange& e, Stage stage);
  void tell_record(Exchange& e);
  void stop(Direction d);

  struct Free {
    void operator()(htp_connp_t* parser) const;
  };
  std::unique_ptr<htp_connp_t, Free> parser_;
  std::map<const htp_tx_t*, std::unique_ptr<Exchange>> open_;
  Call* call_ = nullptr;  ///< set while libhtp runs
  std::uint64_t next_number_ = 0, next_file_ = 0;
  bool stopped_[2] = {false, false};
};

}  // namespace weir::inspect::apps
