// A small file of what the operator has ordered beside the configuration, kept over restarts of the daemon: JSON in the
// form that the API has for the orders, written whole.
#pragma once

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "control/api/json.hpp"
#include "control/base/aside_file.hpp"
#include "control/base/regular_file.hpp"

namespace astil::app {

/// Of the form that is read and written.
inline constexpr std::uint32_t kOrdersVersion = 1;

struct OrdersFile {
  std::string path;
  std::string whose;  ///< "backends"
  std::string again;  ///< what to order again where they are lost: "drain and maintenance"

  /// Reads the file, if there is one, and gives its orders to `take`, which may find fault with them. What can not be
  /// read is put aside, as PATH.broken, and is the error; one that may not be read stays where it is.
  template <class View>
  [[nodiscard]] std::optional<Error> read(auto&& take) const {
    if (std::error_code failed; !std::filesystem::exists(path, failed) && !failed) return std::nullopt;
    const auto text = base::read_regular_file(path);
    if (text.has_error())
      return Error{"orders for " + whose + " not read: " + text.error().what,
                   "make " + path + " readable, and restart"};
    const auto view = view_of<View>(*text);
    const Result<> done = view ? take(*view) : Result<>(view.error());
    if (done) return std::nullopt;
    const std::string aside = path + ".broken";
    (void)std::rename(path.c_str(), aside.c_str());
    return Error{"orders for " + whose + " lost: " + path + ": " + done.error().what,
                 "it is " + aside + " now; order " + again + " again"};
  }

  /// `file` is that of the path.
  template <class View>
  [[nodiscard]] Result<> write(View view, base::AsideFile& file) const {
    view.version = kOrdersVersion;
    const auto kept = file.write(boost::json::serialize(api::to_json(view)) + "\n");
    if (kept.has_error()) return Error{kept.error().what, "nothing has changed; let the daemon write there"};
    return {};
  }

 private:
  template <class View>
  [[nodiscard]] static Result<View> view_of(const std::string& text) {
    boost::system::error_code failed;
    const auto json = boost::json::parse(text, failed);
    if (failed) return Error{failed.message(), {}};
    auto view = api::from_json<View>(json);
    if (view && view->version != kOrdersVersion)
      return Error{"it has the form " + std::to_string(view->version) + ", not " + std::to_string(kOrdersVersion), {}};
    return view;
  }
};

}  // namespace astil::app
