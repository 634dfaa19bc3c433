#include "web/form.h"

static void open_label(struct html *h, const char *text)
{
    html_open(h, "label");
    html_text(h, slice_str(text));
}

void form_input(struct html *h, const struct form_field *f, struct slice value)
{
    open_label(h, f->label);
    html_open(h, "input");
    html_attr(h, "type", slice_str(f->type));
    html_attr(h, "name", slice_str(f->name));
    html_attr(h, "autocomplete", slice_str(f->fills != NULL ? f->fills : "off"));
    if (f->hint != NULL)
        html_attr(h, "placeholder", slice_str(f->hint));
    if (f->most > 0)
        html_attr_number(h, "maxlength", (int64_t)f->most);
    html_attr_flag(h, "required", f->is_needed);
    if (value.len > 0)
        html_attr(h, "value", value);
    html_close(h, "input");
    html_close(h, "label");
}

void form_choice(struct html *h, const char *label, const char *name, const char *const *words,
                 const char *const *texts, struct slice chosen)
{
    open_label(h, label);
    html_open(h, "select");
    html_attr(h, "name", slice_str(name));
    for (size_t i = 0; words[i] != NULL; i++) {
        html_open(h, "option");
        html_attr(h, "value", slice_str(words[i]));
        html_attr_flag(h, "selected", slice_equal(chosen, slice_str(words[i])));
        html_text(h, slice_str(texts[i]));
        html_close(h, "option");
    }
    html_close(h, "select");
    html_close(h, "label");
}

void form_box(struct html *h, const char *label, const char *name, bool is_set)
{
    html_open(h, "fieldset");
    html_open(h, "label");
    html_open(h, "input");
    html_attr(h, "type", SLICE("checkbox"));
    html_attr(h, "name", slice_str(name));
    html_attr(h, "value", SLICE("1"));
    html_attr_flag(h, "checked", is_set);
    html_close(h, "input");
    html_text(h, SLICE(" "));
    html_text(h, slice_str(label));
    html_close(h, "label");
    html_close(h, "fieldset");
}

static void add_alert(struct html *h, const char *class_name, const char *role, struct slice text)
{
    html_open(h, "p");
    html_attr(h, "class", slice_str(class_name));
    html_attr(h, "role", slice_str(role));
    html_text(h, text);
    html_close(h, "p");
    html_newline(h);
}

void form_complaint(struct html *h, struct slice text)
{
    if (text.len > 0)
        add_alert(h, "alert bad", "alert", text);
}

void form_done(struct html *h, struct slice text)
{
    add_alert(h, "alert", "status", text);
}
