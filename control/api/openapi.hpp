// The API's document (OpenAPI 3.1, docs/openapi.json), made of the table of routes and of the views' own declarations:
// what an answer holds is said once, in control/api/view.hpp.
#pragma once

#include <boost/json/object.hpp>
#include <string>

namespace astil::api {

/// Schemas of JSON Schema 2020-12 by the name of their view.
class Schemas {
 public:
  /// A reference to the view's, which is made where it is not there yet. Defined for what json.hpp defines.
  template <class View>
  [[nodiscard]] boost::json::value of();

  [[nodiscard]] const boost::json::object& all() const { return all_; }

 private:
  template <class View>
  friend struct SchemaOf;
  boost::json::object all_;
};

/// The document, indented.
[[nodiscard]] std::string openapi_document();

}  // namespace astil::api
