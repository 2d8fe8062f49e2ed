// --report: one page with everything, to look at.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "engine/observer.h"
#include "report/eve.h"
#include "report/problem.h"

namespace weir::report {

/// Purpose: gathers what the page shows, and writes it at the end. What a connection came with is kept in detail for the kDetailed most
/// interesting ones; of the others the page has a line. Bounds: the constants; at them the page says what was left out.
/// One owner, one thread.
class HtmlReport : public engine::Observer {
 public:
  static constexpr std::size_t kConnections = 20'000;  ///< lines
  static constexpr std::size_t kDetailed = 200;        ///< connections with plots
  static constexpr std::size_t kLive = 4'096;          ///< connections followed in detail at once
  static constexpr std::size_t kPoints = 1'500;        ///< of a plot, a direction
  static constexpr std::size_t kRuns = 1'000;          ///< of the ribbon, a direction
  static constexpr std::size_t kEvents = 300;          ///< on a timeline
  static constexpr std::size_t kFindings = 200;        ///< alerts and anomalies of a connection
  static constexpr std::size_t kApplications = 100;    ///< records of a connection

  static std::expected<std::unique_ptr<HtmlReport>, Problem> open(const std::string& path, PointNames points);
  ~HtmlReport() override;

  void on_mapped(const engine::ConnectionInfo& info, const engine::MappedArrival& arrival) override;
  void on_data(const engine::ConnectionInfo& info, const engine::StreamChunk& chunk) override;
  void on_gap(const engine::ConnectionInfo& info, engine::Direction d, std::uint64_t offset, std::uint64_t bytes, TimeNs now) override;
  void on_option(const engine::ConnectionInfo& info, const engine::OptionSeen& option) override;
  void on_alert(const engine::AlertRecord& record) override;
  void on_application(const engine::ApplicationRecord& record) override;
  void on_anomaly(const engine::AnomalyRecord& record) override;
  void on_connection(const engine::ConnectionRecord& record) override;
  void on_flow(const engine::FlowRecord& record) override;

  /// Writes the page. `captures`: their names.
  std::optional<Problem> close(const std::vector<std::string>& captures);

 private:
  /// Bytes of one subflow that came one after the other; neighbours are joined when there are too many.
  struct Point {
    TimeNs from_ns = 0, to_ns = 0;
    std::uint64_t first = 0, end = 0;
    std::uint32_t subflow = 0;
    bool again = false;
  };
  struct Run {
    std::uint64_t end = 0;
    std::int64_t subflow = 0;  ///< -1: a gap; -2: several
  };
  struct Finding {
    TimeNs time_ns = 0;
    std::string json;
    double interest = 0;
  };
  struct Live {
    std::array<std::vector<Point>, 2> points;
    std::array<std::vector<Run>, 2> runs;
    std::vector<engine::OptionSeen> options;
    std::vector<std::string> findings, applications;
    std::size_t findings_left_out = 0, options_left_out = 0, applications_left_out = 0;
    std::size_t alerts = 0, anomalies = 0;
  };
  struct Line {
    std::string json;    ///< what the list shows
    std::string detail;  ///< the rest; empty: left out
    double interest = 0;
  };

  HtmlReport(std::string path, std::string temporary, int descriptor, PointNames points)
      : path_(std::move(path)), temporary_(std::move(temporary)), descriptor_(descriptor), points_(std::move(points)) {}
  Live* live(std::uint64_t number);
  static void thin(std::vector<Point>& points);
  static void add_run(std::vector<Run>& runs, std::uint64_t end, std::int64_t subflow);
  std::string detail_of(const Live& live, TimeNs first_ns) const;
  void finish(std::uint64_t number, std::string line, double interest, TimeNs first_ns, const std::string& subflows);

  std::string path_, temporary_;
  int descriptor_ = -1;
  PointNames points_;
  boost::unordered_flat_map<std::uint64_t, std::unique_ptr<Live>> live_;
  std::vector<Line> lines_;
  std::vector<std::pair<double, std::size_t>> detailed_;  ///< a heap, the least interesting first
  std::uint64_t connections_ = 0, subflows_ = 0, bytes_ = 0, alerts_ = 0, anomalies_ = 0, not_followed_ = 0;
  TimeNs first_ns_ = 0, last_ns_ = 0;
};

}  // namespace weir::report
