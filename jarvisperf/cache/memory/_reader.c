/* The compiled form of the function that MemoryTier.make_reader returns: a hit in memory.

   Optional: without this module, the function in tier.py does the same. It must do exactly the same, in the same order;
   tests/cache/test_compiled.py runs both. Fields of an entry are read where the class keeps them, because looking them
   up by name would take as long as the rest of a hit. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include <time.h>

/* tier.py does not use a module of another version. */
#define VERSION 1

/* How an int from 1 to 2**30 - 1 is laid out; unknown for later versions of Python, where a hit makes a new int. */
#if PY_VERSION_HEX < 0x030C0000
#define HAS_ONE_DIGIT(number) (Py_SIZE(number) == 1)
#define DIGIT(number) (((PyLongObject *)(number))->ob_digit[0])
#elif PY_VERSION_HEX < 0x030E0000
#define HAS_ONE_DIGIT(number) (((PyLongObject *)(number))->long_value.lv_tag == 1 << 3)
#define DIGIT(number) (((PyLongObject *)(number))->long_value.ob_digit[0])
#endif

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *entries;
    PyObject *clock;
    PyObject *otherwise;
    PyObject *forget;
    PyObject *unreadable;
    PyTypeObject *entry_type;
    int is_monotonic;
    Py_ssize_t valid_until, hits, used, thaw, value;
} Reader;

static PyObject *name_key, *name_default;

#define FIELD(entry, offset) (*(PyObject **)((char *)(entry) + (offset)))

static void
set_field(PyObject *entry, Py_ssize_t offset, PyObject *value)
{
    PyObject *old = FIELD(entry, offset);
    FIELD(entry, offset) = value;
    Py_XDECREF(old);
}

/* Returns 1 and notes the time of use if the entry is valid, 0 if it is not, -1 with an exception set. */
static int
use(Reader *self, PyObject *entry)
{
    PyObject *valid_until = FIELD(entry, self->valid_until);
    if (valid_until == NULL) {
        return 0;
    }
#if defined(__linux__)
    struct timespec ts;
    if (self->is_monotonic && PyFloat_CheckExact(valid_until) && clock_gettime(CLOCK_MONOTONIC, &ts) == 0) {
        /* What time.monotonic does on Linux. */
        double seconds = (double)((long long)ts.tv_sec * 1000000000LL + ts.tv_nsec) / 1e9;
        if (!(PyFloat_AS_DOUBLE(valid_until) > seconds)) {
            return 0;
        }
        PyObject *used = FIELD(entry, self->used);
        if (used != NULL && PyFloat_CheckExact(used) && Py_REFCNT(used) == 1) { /* nobody else has this object */
            ((PyFloatObject *)used)->ob_fval = seconds;
            return 1;
        }
        PyObject *now = PyFloat_FromDouble(seconds);
        if (now == NULL) {
            return -1;
        }
        set_field(entry, self->used, now);
        return 1;
    }
#endif
    Py_INCREF(valid_until);
    PyObject *now = PyObject_CallNoArgs(self->clock);
    int is_valid = now == NULL ? -1 : PyObject_RichCompareBool(valid_until, now, Py_GT);
    Py_DECREF(valid_until);
    if (is_valid > 0) {
        set_field(entry, self->used, now);
    }
    else {
        Py_XDECREF(now);
    }
    return is_valid;
}

static int
count_hit(Reader *self, PyObject *entry)
{
    PyObject *hits = FIELD(entry, self->hits);
#ifdef DIGIT
    /* As above: nobody else has this object, so it can be increased in place. */
    if (hits != NULL && PyLong_CheckExact(hits) && Py_REFCNT(hits) == 1 && HAS_ONE_DIGIT(hits) &&
        DIGIT(hits) < PyLong_MASK) {
        DIGIT(hits)++;
        return 0;
    }
#endif
    long long count = hits == NULL ? 0 : PyLong_AsLongLong(hits);
    PyObject *more = count == -1 && PyErr_Occurred() ? NULL : PyLong_FromLongLong(count + 1);
    if (more == NULL) {
        return -1;
    }
    set_field(entry, self->hits, more);
    return 0;
}

/* Returns the value, or NULL: with an exception set, or without one if there is no hit. */
static PyObject *
hit(Reader *self, PyObject *key, PyObject *entry)
{
    if (use(self, entry) <= 0 || count_hit(self, entry) < 0) {
        return NULL;
    }
    PyObject *thaw = FIELD(entry, self->thaw);
    PyObject *value = FIELD(entry, self->value);
    if (thaw == NULL || value == NULL) {
        return NULL;
    }
    if (thaw == Py_None) {
        return Py_NewRef(value);
    }
    Py_INCREF(thaw);
    Py_INCREF(value);
    PyObject *found = PyObject_CallOneArg(thaw, value);
    Py_DECREF(thaw);
    Py_DECREF(value);
    if (found == NULL && PyErr_ExceptionMatches(self->unreadable)) { /* its class was defined again */
        PyErr_Clear();
        PyObject *forgotten = PyObject_CallFunctionObjArgs(self->forget, key, entry, NULL);
        Py_XDECREF(forgotten);
    }
    return found;
}

static int
parse(PyObject *const *args, Py_ssize_t count, PyObject *names, PyObject **key, PyObject **fallback)
{
    *key = count > 0 ? args[0] : NULL;
    *fallback = count > 1 ? args[1] : NULL;
    if (count > 2) {
        PyErr_Format(PyExc_TypeError, "get() takes from 1 to 2 positional arguments but %zd were given", count);
        return -1;
    }
    Py_ssize_t named = names == NULL ? 0 : PyTuple_GET_SIZE(names);
    for (Py_ssize_t place = 0; place < named; place++) {
        PyObject *name = PyTuple_GET_ITEM(names, place);
        int is_key = PyUnicode_Compare(name, name_key) == 0;
        if (!is_key && PyUnicode_Compare(name, name_default) != 0) {
            PyErr_Format(PyExc_TypeError, "get() got an unexpected keyword argument '%U'", name);
            return -1;
        }
        PyObject **which = is_key ? key : fallback;
        if (*which != NULL) {
            PyErr_Format(PyExc_TypeError, "get() got multiple values for argument '%U'", name);
            return -1;
        }
        *which = args[count + place];
    }
    if (*key == NULL) {
        PyErr_SetString(PyExc_TypeError, "get() missing 1 required positional argument: 'key'");
        return -1;
    }
    if (*fallback == NULL) {
        *fallback = Py_None;
    }
    return 0;
}

static PyObject *
reader_call(PyObject *callable, PyObject *const *args, size_t flags, PyObject *names)
{
    Reader *self = (Reader *)callable;
    PyObject *key, *fallback;
    if (parse(args, PyVectorcall_NARGS(flags), names, &key, &fallback) < 0) {
        return NULL;
    }
    if (self->entries == NULL) { /* a finalizer in a cycle of garbage, of which this is a part, calls */
        PyErr_SetString(PyExc_ReferenceError, "this cache is being collected");
        return NULL;
    }
    PyObject *entry = PyDict_GetItemWithError(self->entries, key);
    if (entry != NULL && Py_IS_TYPE(entry, self->entry_type)) {
        Py_INCREF(entry);
        PyObject *found = hit(self, key, entry);
        Py_DECREF(entry);
        if (found != NULL || PyErr_Occurred()) {
            return found;
        }
    }
    else if (PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_TypeError) && !PyErr_ExceptionMatches(PyExc_KeyError)) {
            return NULL;
        }
        PyErr_Clear(); /* the key cannot be hashed */
    }
    PyObject *both[] = {NULL, key, fallback};
    return PyObject_Vectorcall(self->otherwise, both + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
}

static int
reader_traverse(Reader *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->entries);
    Py_VISIT(self->clock);
    Py_VISIT(self->otherwise);
    Py_VISIT(self->forget);
    Py_VISIT(self->unreadable);
    Py_VISIT(self->entry_type);
    return 0;
}

static int
reader_clear(Reader *self)
{
    Py_CLEAR(self->entries);
    Py_CLEAR(self->clock);
    Py_CLEAR(self->otherwise);
    Py_CLEAR(self->forget);
    Py_CLEAR(self->unreadable);
    Py_CLEAR(self->entry_type);
    return 0;
}

static void
reader_dealloc(Reader *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    reader_clear(self);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyMemberDef reader_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Reader, vectorcall), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot reader_slots[] = {
    {Py_tp_doc, "get(key, default=None)\n--\n\nReturn the value of a key."},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_traverse, reader_traverse},
    {Py_tp_clear, reader_clear},
    {Py_tp_dealloc, reader_dealloc},
    {Py_tp_members, reader_members},
    {0, NULL},
};

static PyType_Spec reader_spec = {
    .name = "jarvisperf.cache.memory._reader.Reader",
    .basicsize = sizeof(Reader),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = reader_slots,
};

static Py_ssize_t
offset_of(PyObject *type, const char *name)
{
    PyObject *field = PyObject_GetAttrString(type, name);
    Py_ssize_t offset = -1;
    if (field == NULL) {
        return -1;
    }
    if (Py_IS_TYPE(field, &PyMemberDescr_Type) && ((PyMemberDescrObject *)field)->d_member->type == T_OBJECT_EX) {
        offset = ((PyMemberDescrObject *)field)->d_member->offset;
    }
    else {
        PyErr_Format(PyExc_TypeError, "%s is not a slot of %R", name, type);
    }
    Py_DECREF(field);
    return offset;
}

static PyObject *
make_reader(PyObject *module, PyObject *args)
{
    PyObject *entries, *clock, *otherwise, *forget, *entry_type, *unreadable;
    int is_monotonic;
    if (!PyArg_ParseTuple(args, "O!OOOO!O!p:make_reader", &PyDict_Type, &entries, &clock, &otherwise, &forget,
                          &PyType_Type, &entry_type, &PyTuple_Type, &unreadable, &is_monotonic)) {
        return NULL;
    }
    PyTypeObject *type = *(PyTypeObject **)PyModule_GetState(module);
    Reader *self = PyObject_GC_New(Reader, type);
    if (self == NULL) {
        return NULL;
    }
    self->vectorcall = reader_call;
    self->entries = Py_NewRef(entries);
    self->clock = Py_NewRef(clock);
    self->otherwise = Py_NewRef(otherwise);
    self->forget = Py_NewRef(forget);
    self->unreadable = Py_NewRef(unreadable);
    self->entry_type = (PyTypeObject *)Py_NewRef(entry_type);
    self->is_monotonic = is_monotonic;
    PyObject_GC_Track(self);
    if ((self->valid_until = offset_of(entry_type, "valid_until")) < 0 ||
        (self->hits = offset_of(entry_type, "hits")) < 0 || (self->used = offset_of(entry_type, "used")) < 0 ||
        (self->thaw = offset_of(entry_type, "thaw")) < 0 || (self->value = offset_of(entry_type, "value")) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static int
module_exec(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &reader_spec, NULL);
    if (type == NULL) {
        return -1;
    }
    *(PyObject **)PyModule_GetState(module) = type;
    if ((name_key == NULL && (name_key = PyUnicode_InternFromString("key")) == NULL) ||
        (name_default == NULL && (name_default = PyUnicode_InternFromString("default")) == NULL)) {
        return -1;
    }
    return PyModule_AddIntConstant(module, "VERSION", VERSION);
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    Py_VISIT(*(PyObject **)PyModule_GetState(module));
    return 0;
}

static PyMethodDef module_methods[] = {
    {"make_reader", make_reader, METH_VARARGS,
     "make_reader(entries, clock, otherwise, forget, entry_type, unreadable, is_monotonic)"},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_reader",
    .m_doc = "The compiled form of a hit in memory.",
    .m_size = sizeof(PyObject *),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
};

PyMODINIT_FUNC
PyInit__reader(void)
{
    return PyModuleDef_Init(&module_definition);
}
